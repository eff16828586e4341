"""What is in the picture: models, lanes of workers, predictions."""
