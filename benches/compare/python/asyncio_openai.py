"""Bulk calls as people write them: openai-python, asyncio and a semaphore."""

import asyncio
import sys

from openai import AsyncOpenAI

from measured import KEY, MODEL, QUESTION, measure


async def ask_all(url, calls, width):
    semaphore = asyncio.Semaphore(width)
    async with AsyncOpenAI(api_key=KEY, base_url=url) as client:

        async def ask():
            async with semaphore:
                answer = await client.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": QUESTION}]
                )
                return answer.choices[0].message.content

        return await asyncio.gather(*(ask() for _ in range(calls)))


url, calls, width = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
measure(calls, lambda: asyncio.run(ask_all(url, calls, width)))
