"""What two or more steps of Podium share; each module says whether it needs TensorFlow."""
