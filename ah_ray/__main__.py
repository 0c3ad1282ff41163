"""`python -m ah_ray COMMAND …`: the same as `ah-ray COMMAND …`, with a chosen Python."""

from ah_ray.commands.main import main

if __name__ == "__main__":
    main()
