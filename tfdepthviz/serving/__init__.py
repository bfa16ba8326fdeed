"""Serving: clients of exported models, in other processes or in this one, and a server."""
