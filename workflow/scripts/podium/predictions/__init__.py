"""Predictions and what is made of them: yardsticks, scores, calibration, history, submissions. No TensorFlow."""
