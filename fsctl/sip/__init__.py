"""The pieces of SIP that a transfer needs: URIs, Refer-To, Referred-By, statuses. Pure."""
