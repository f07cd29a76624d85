"""Deep InfoMax (Hjelm et al. 2019): local mutual information, then classes by finetuning."""
