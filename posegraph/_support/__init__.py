"""What several packages share and no user needs: checks, files, caches, devices."""
