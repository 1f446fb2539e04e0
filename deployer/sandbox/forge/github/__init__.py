"""The GitHub side of the sandbox forge: the part of its REST API that the deployer calls, and its events."""
