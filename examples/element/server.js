// For programs that render pages on a server, where there are no custom elements: importing the package does nothing there.
// The element comes to life in the browser.
export {};
