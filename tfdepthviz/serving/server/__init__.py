"""The embedded server: the Predict part of the API of TensorFlow Serving."""
