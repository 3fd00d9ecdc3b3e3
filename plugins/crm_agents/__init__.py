"""crm-agents: AI agents that work on a CRM.

The package is imported as ``crm_agents`` (never ``plugins.crm_agents``). Importing any module of it opens no connection,
reads no file and loads no heavy library.
"""

__version__ = "0.1.0"
