<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="text" media-type="text/csv"/>
  <xsl:template match="/"><xsl:for-each select="a/b"><xsl:value-of select="concat(@x, ';', ., '&#10;')"/></xsl:for-each></xsl:template>
</xsl:stylesheet>
