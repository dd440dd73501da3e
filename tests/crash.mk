# tests of crash
