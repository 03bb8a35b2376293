const parameters = new URLSearchParams(location.search);
const element = document.querySelector('routiq-sync');
element.setAttribute('organization-id', parameters.get('organization'));
element.setAttribute('api-base-url', parameters.get('api'));
element.labels = { heading: 'Sync in a page' };
element.getToken = () => null;
for (const name of ['completed', 'failed', 'cancelled']) {
  document.addEventListener(name, ({ detail }) => {
    document.querySelector('output').textContent += `${name}: ${detail.syncId} `;
  });
}
