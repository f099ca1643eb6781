"""Builders of the Nipype workflows."""
