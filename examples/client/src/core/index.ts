// Everything that views need; the other files of this folder are its own business.

export * from './types';
