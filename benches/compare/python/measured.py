"""What one process took to answer all prompts of a bulk run."""

import json
import resource
import time

MODEL = "gpt-4o-mini"
KEY = "sk-proj-4fVbXo0mJ1kq7Zr9Hc2LwTn8sYd6Ue5A"
QUESTION = "What is the capital of France?"
ANSWER = "The capital of France is Paris."


def measure(calls, run):
    """Prints what `run` took. It returns the text of every answer."""
    start = time.process_time()
    begun = time.monotonic()
    texts = run()
    wall = time.monotonic() - begun
    cpu = time.process_time() - start
    if texts != [ANSWER] * calls:
        raise SystemExit("not every answer is right")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"wall": wall, "cpu": cpu, "start_cpu": start, "peak_mib": peak / 1024}))
