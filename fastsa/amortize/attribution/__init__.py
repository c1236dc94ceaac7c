"""Networks that attribute a model's outputs to the features of its inputs."""
