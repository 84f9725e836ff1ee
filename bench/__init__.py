"""The bench suite: ``python -m bench COMMAND``; results go to ``bench/results/``, one JSON object a line."""
