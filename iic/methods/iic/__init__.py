"""IIC and IIC* (Ji, Henriques, Vedaldi 2019) on images and maps, and their random networks."""
