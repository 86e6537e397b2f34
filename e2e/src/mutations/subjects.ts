/** A layer of trees, scripts and devices. */
export const extra = 'os/extra/layer.yaml';

/** A layer with a configuration of Portage and packages of its own. */
export const configured = 'os/configured/layer.yaml';

/** An image with every field. */
export const image = 'os/own-image/image.yaml';

/** Portage's configuration of the layer {@link configured}. */
export const portage = 'os/configured/etc-portage';

/** A file of the example's repository. */
export const ebuild = (name: string): string => `os/repository/${name}`;

/** Plans that read that repository. */
export const repositoryPlans = ['base:plan', 'tools:plan', 'configured:plan', 'own-prefix:plan'];

/** The package that the overlay changes. */
export const lz4 = ['configured:app-arch/lz4'];
