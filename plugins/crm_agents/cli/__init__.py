"""The command line: ``crm-agents``."""
