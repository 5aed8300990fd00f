import { defineConfig } from 'vite';

export default defineConfig({
  resolve: {
    // emberlink is a link to the clone here, which has a React of its own: a page must have only one.
    dedupe: ['react', 'react-dom'],
  },
});
