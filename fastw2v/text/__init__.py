"""From text to ids: files become blocks of bytes, bytes become words, words become ids on disk."""
