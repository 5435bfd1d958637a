__version__ = "0.1.0"  # pyproject.toml has it too; a test holds them together
