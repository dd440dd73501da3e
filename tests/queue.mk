# tests of queue
