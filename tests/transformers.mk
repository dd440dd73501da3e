# tests of transformers
