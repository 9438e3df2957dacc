"""Language: text -> understanding -> answers and passages. Knows neither `bot` nor `training`."""
