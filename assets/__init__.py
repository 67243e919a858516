"""The two libraries that the page of `retrace console` uses: pinned here, fetched on demand."""
