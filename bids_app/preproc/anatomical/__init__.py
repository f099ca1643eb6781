"""Steps of the workflow that bring an anatomy to the template."""
