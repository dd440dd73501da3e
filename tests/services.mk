# tests of services
