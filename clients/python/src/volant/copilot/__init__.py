"""Data for programs that know nothing of us: inputs become files before they start, files become outputs afterwards.

`python -m volant.copilot download | upload | run` does that for the tasks whose container has a `data_config`. Admitted
here: files and literals, and what runs beside such a program. What types users declare is no business of this package.
"""
