"""A competition's archive: opened, checked and read; its tables; its layouts; Kaggle's client. No TensorFlow."""
