"""What the DAG files share: assets, defaults, and how a task finds out which run and which day it works on."""
