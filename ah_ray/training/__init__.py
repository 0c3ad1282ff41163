"""Fine-tune the model on Ray Train. Importing anything from here prepares Ray's environment."""

from ah_ray.ray_environment import prepare

prepare()
