"""What a model's page shows over time: speeds, uptime, word errors, activity, apps, prices."""
