"""Reports: pictures, TensorBoard summaries and pages that a person looks at."""
