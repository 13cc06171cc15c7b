"""What the server costs against the batch path, one client at a time, and transformers serve."""
