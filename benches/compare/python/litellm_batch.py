"""Bulk calls by LiteLLM's `batch_completion`, which uses a pool of threads."""

import sys

import litellm

from measured import KEY, MODEL, QUESTION, measure


def ask_all(url, calls, width):
    answers = litellm.batch_completion(
        model=f"openai/{MODEL}",
        messages=[[{"role": "user", "content": QUESTION}] for _ in range(calls)],
        max_workers=width,
        api_key=KEY,
        api_base=url,
    )
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return [answer.choices[0].message.content for answer in answers]


url, calls, width = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
measure(calls, lambda: ask_all(url, calls, width))
