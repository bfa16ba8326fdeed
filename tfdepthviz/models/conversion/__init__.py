"""Networks from PyTorch, Hugging Face and ONNX files, converted to SavedModels and checked.

A PyTorch network is exported to ONNX by PyTorch itself. `OnnxNetwork` reads ONNX with Keras's own
operations, which have gradients. `comparison` holds the result against the original network.
"""
