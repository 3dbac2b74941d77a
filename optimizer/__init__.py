"""Joint multi-year plans of money, space and service stations for a city's communities."""
