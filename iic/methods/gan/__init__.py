"""GAN (Radford et al. 2016, DCGAN): features of the discriminator, clustered."""
