"""The messages for requests that fail on the network, with or without a proxy.

Messages name a proxy by host and port, never its login.
"""

import ssl

from routiq_gql.cliniko.errors import ClinikoUnreachable
from routiq_gql.cliniko.retries import Retriable
from routiq_gql.proxies import Proxy

LOWER_ADVICE = "check this server's internet connection and Cliniko's status page, then try again later."
UNREACHABLE_ADVICE = f"C{LOWER_ADVICE[1:]}"
SETTING_ADVICE = "Correct or unset the variable where this server is started, and start it again."


def refused_by(proxy: Proxy, status: str, where: str) -> Exception:
    """The error for a request that the proxy refused: ``Retriable``, or final when the login is wrong.

    Args:
        status: Status of the proxy's response; with SOCKS, anything but three digits.
    """
    has_status = status.isdecimal()
    answered = f"answered with status {status}" if has_status else "refused"
    sentence = f"The proxy {proxy.name} {answered} to a request for {where}."
    detail = f"proxy, status {status}" if has_status else "proxy refused"
    if status == "407":  # Proxy Authentication Required: a retry with the same login is useless
        return ClinikoUnreachable(
            sentence,
            f"It requires another user name and password: correct {proxy.variable} where this server is started, "
            "such as "
            "http://user:password@proxy.example.com:8080, and start it again.",
            detail,
        )
    advice = (
        "Ask the administrator of the proxy to let this server reach Cliniko. If no proxy is needed, unset "
        f"{proxy.variable} where this server is started, or add cliniko.com to NO_PROXY."
    )
    return Retriable(f"The proxy {proxy.name} {answered}", ClinikoUnreachable(sentence, advice, detail))


def through(proxy: Proxy | None) -> str:
    """The end of a sentence about a missing or bad response."""
    return "" if proxy is None else f" through the proxy {proxy.name}"


def is_untrusted(error: BaseException) -> bool:
    """Whether ``error`` was caused by an untrusted certificate, as of a proxy or firewall that decrypts TLS."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def untrusted(where: str, proxy: Proxy | None) -> ClinikoUnreachable:
    """The error for an untrusted certificate; a retry is useless."""
    return ClinikoUnreachable(
        f"The certificate presented for Cliniko is not trusted, so no request for {where} was sent{through(proxy)}.",
        "If a proxy or firewall decrypts TLS in this network, set SSL_CERT_FILE to a file with its authority's "
        "certificate and restart this server. Otherwise check this machine's clock.",
        "certificate not trusted",
    )
