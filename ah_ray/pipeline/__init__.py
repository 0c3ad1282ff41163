"""The run on Ray, and the nights. Importing anything from here prepares Ray's environment."""

from ah_ray.ray_environment import prepare

prepare()
