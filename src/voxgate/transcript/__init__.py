"""The canonical values, joining windows on one timeline, and writers. Ground floor."""
