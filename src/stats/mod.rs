//! Counts to states, baselines, spikes and comparisons; now is a parameter.
