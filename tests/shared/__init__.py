"""What the tests of several modules share: servers, clients, frames, models of the codecs, and other programs."""
