"""Reading the published weights of the pretrained networks and converting them to this project's modules."""
