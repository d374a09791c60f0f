"""What Heat finds in its plugin folder: the fake resource types and constraints of this cloud."""
from heatfakes import constraint_mapping, resource_mapping  # noqa: F401 (Heat looks these two names up here)
