# tests of file
