"""The jobs, one module each: the settings are read, one function is called.

`ah-ray NAME` runs them where the package is installed, `python jobs/NAME.py` in a clone.
"""
