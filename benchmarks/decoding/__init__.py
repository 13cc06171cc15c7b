"""What decoding costs against transformers alone and against lm-eval."""
