# Made by `caplab gen` of stale.proto, sha256 0000.
