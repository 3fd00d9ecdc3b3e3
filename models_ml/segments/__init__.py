"""Customers in groups that a marketer can name: who they are, how sure the groups are, and who moved between them."""
