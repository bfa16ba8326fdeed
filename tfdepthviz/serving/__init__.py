"""Masks as a service: clients ask for them without TensorFlow."""
